/** What every ROS 2 node speaks besides its topics (Jazzy): unique_identifier_msgs, service_msgs, action_msgs, rcl_interfaces, lifecycle_msgs. */
export const NODES: Readonly<Record<string, string>> = {
  'rcl_interfaces/ParameterValue':
    'uint8 type\nbool bool_value\nint64 integer_value\nfloat64 double_value\nstring string_value\nbyte[] byte_array_value\nbool[] bool_array_value\nint64[] integer_array_value\nfloat64[] double_array_value\nstring[] string_array_value',
  'rcl_interfaces/Parameter': 'string name\nParameterValue value',
  'rcl_interfaces/ParameterEvent':
    'builtin_interfaces/Time stamp\nstring node\nParameter[] new_parameters\nParameter[] changed_parameters\nParameter[] deleted_parameters',
  'rcl_interfaces/FloatingPointRange': 'float64 from_value\nfloat64 to_value\nfloat64 step',
  'rcl_interfaces/IntegerRange': 'int64 from_value\nint64 to_value\nuint64 step',
  'rcl_interfaces/ParameterDescriptor':
    'string name\nuint8 type\nstring description\nstring additional_constraints\nbool read_only false\nbool dynamic_typing false\nFloatingPointRange[<=1] floating_point_range\nIntegerRange[<=1] integer_range',
  'rcl_interfaces/ListParametersResult': 'string[] names\nstring[] prefixes',
  'rcl_interfaces/SetParametersResult': 'bool successful\nstring reason',
  'rcl_interfaces/Log':
    'uint8 DEBUG=10\nuint8 INFO=20\nuint8 WARN=30\nuint8 ERROR=40\nuint8 FATAL=50\nbuiltin_interfaces/Time stamp\nuint8 level\nstring name\nstring msg\nstring file\nstring function\nuint32 line',
  'lifecycle_msgs/State':
    'uint8 PRIMARY_STATE_UNKNOWN=0\nuint8 PRIMARY_STATE_UNCONFIGURED=1\nuint8 PRIMARY_STATE_INACTIVE=2\nuint8 PRIMARY_STATE_ACTIVE=3\nuint8 PRIMARY_STATE_FINALIZED=4\nuint8 TRANSITION_STATE_CONFIGURING=10\nuint8 TRANSITION_STATE_CLEANINGUP=11\nuint8 TRANSITION_STATE_SHUTTINGDOWN=12\nuint8 TRANSITION_STATE_ACTIVATING=13\nuint8 TRANSITION_STATE_DEACTIVATING=14\nuint8 TRANSITION_STATE_ERRORPROCESSING=15\nuint8 id\nstring label',
  'lifecycle_msgs/Transition':
    'uint8 TRANSITION_CREATE=0\nuint8 TRANSITION_CONFIGURE=1\nuint8 TRANSITION_CLEANUP=2\nuint8 TRANSITION_ACTIVATE=3\nuint8 TRANSITION_DEACTIVATE=4\nuint8 TRANSITION_UNCONFIGURED_SHUTDOWN=5\nuint8 TRANSITION_INACTIVE_SHUTDOWN=6\nuint8 TRANSITION_ACTIVE_SHUTDOWN=7\nuint8 TRANSITION_DESTROY=8\nuint8 TRANSITION_ON_CONFIGURE_SUCCESS=10\nuint8 TRANSITION_ON_CONFIGURE_FAILURE=11\nuint8 TRANSITION_ON_CONFIGURE_ERROR=12\nuint8 TRANSITION_ON_CLEANUP_SUCCESS=20\nuint8 TRANSITION_ON_CLEANUP_FAILURE=21\nuint8 TRANSITION_ON_CLEANUP_ERROR=22\nuint8 TRANSITION_ON_ACTIVATE_SUCCESS=30\nuint8 TRANSITION_ON_ACTIVATE_FAILURE=31\nuint8 TRANSITION_ON_ACTIVATE_ERROR=32\nuint8 TRANSITION_ON_DEACTIVATE_SUCCESS=40\nuint8 TRANSITION_ON_DEACTIVATE_FAILURE=41\nuint8 TRANSITION_ON_DEACTIVATE_ERROR=42\nuint8 TRANSITION_ON_SHUTDOWN_SUCCESS=50\nuint8 TRANSITION_ON_SHUTDOWN_FAILURE=51\nuint8 TRANSITION_ON_SHUTDOWN_ERROR=52\nuint8 TRANSITION_ON_ERROR_SUCCESS=60\nuint8 TRANSITION_ON_ERROR_FAILURE=61\nuint8 TRANSITION_ON_ERROR_ERROR=62\nuint8 TRANSITION_CALLBACK_SUCCESS=97\nuint8 TRANSITION_CALLBACK_FAILURE=98\nuint8 TRANSITION_CALLBACK_ERROR=99\nuint8 id\nstring label',
  'lifecycle_msgs/TransitionDescription': 'Transition transition\nState start_state\nState goal_state',
  'lifecycle_msgs/TransitionEvent':
    'uint64 timestamp\nTransition transition\nState start_state\nState goal_state',
  'action_msgs/GoalInfo': 'unique_identifier_msgs/UUID goal_id\nbuiltin_interfaces/Time stamp',
  'action_msgs/GoalStatus':
    'int8 STATUS_UNKNOWN=0\nint8 STATUS_ACCEPTED=1\nint8 STATUS_EXECUTING=2\nint8 STATUS_CANCELING=3\nint8 STATUS_SUCCEEDED=4\nint8 STATUS_CANCELED=5\nint8 STATUS_ABORTED=6\nGoalInfo goal_info\nint8 status',
  'action_msgs/GoalStatusArray': 'GoalStatus[] status_list',
  'unique_identifier_msgs/UUID': 'uint8[16] uuid',
  // Of this project: launch/auraison_interfaces, without its comments.
  'auraison_interfaces/NamedTensor': 'string name\nuint32[] shape\nfloat32[] data',
  'service_msgs/ServiceEventInfo':
    'uint8 REQUEST_SENT=0\nuint8 REQUEST_RECEIVED=1\nuint8 RESPONSE_SENT=2\nuint8 RESPONSE_RECEIVED=3\nuint8 event_type\nbuiltin_interfaces/Time stamp\nchar[16] client_gid\nint64 sequence_number',
};

/** Services of ROS 2 Jazzy by full name: request, then response. */
export const SERVICES: Readonly<Record<string, string>> = {
  'std_srvs/srv/Empty': '---',
  // Of this project: launch/auraison_interfaces, without its comments.
  'auraison_interfaces/srv/Infer':
    'string policy\nstring caller\nstring session\nbool reset\nstring task\nbuiltin_interfaces/Time stamp\nfloat64 deadline_ms\nauraison_interfaces/NamedTensor[] tensors\nstring[] image_names\nsensor_msgs/Image[] images\n---\nbool success\nstring error_code\nstring message\nbool retryable\nauraison_interfaces/NamedTensor actions\nfloat64 step_ms\nbuiltin_interfaces/Time stamp\nstring policy_hash',
  'auraison_interfaces/srv/Chat':
    'string caller\nstring request_json\nfloat64 deadline_ms\n---\nbool success\nstring error_code\nstring message\nbool retryable\nstring text\nstring response_json',
  'auraison_interfaces/srv/Plan':
    'string caller\nstring request_json\nfloat64 deadline_ms\n---\nbool success\nstring error_code\nstring message\nbool retryable\nstring response_json',
  'std_srvs/srv/SetBool': 'bool data\n---\nbool success\nstring message',
  'std_srvs/srv/Trigger': '---\nbool success\nstring message',
  'rcl_interfaces/srv/DescribeParameters': 'string[] names\n---\nParameterDescriptor[] descriptors',
  'rcl_interfaces/srv/GetParameterTypes': 'string[] names\n---\nuint8[] types',
  'rcl_interfaces/srv/GetParameters': 'string[] names\n---\nParameterValue[] values',
  'rcl_interfaces/srv/ListParameters':
    'uint64 DEPTH_RECURSIVE=0\nstring[] prefixes\nuint64 depth\n---\nListParametersResult result',
  'rcl_interfaces/srv/SetParameters': 'Parameter[] parameters\n---\nSetParametersResult[] results',
  'rcl_interfaces/srv/SetParametersAtomically': 'Parameter[] parameters\n---\nSetParametersResult result',
  'lifecycle_msgs/srv/ChangeState': 'Transition transition\n---\nbool success',
  'lifecycle_msgs/srv/GetAvailableStates': '---\nState[] available_states',
  'lifecycle_msgs/srv/GetAvailableTransitions': '---\nTransitionDescription[] available_transitions',
  'lifecycle_msgs/srv/GetState': '---\nState current_state',
  'action_msgs/srv/CancelGoal':
    'GoalInfo goal_info\n---\nint8 ERROR_NONE=0\nint8 ERROR_REJECTED=1\nint8 ERROR_UNKNOWN_GOAL_ID=2\nint8 ERROR_GOAL_TERMINATED=3\nint8 return_code\nGoalInfo[] goals_canceling',
  'nav_msgs/srv/GetMap': '---\nOccupancyGrid map',
  'nav_msgs/srv/GetPlan':
    'geometry_msgs/PoseStamped start\ngeometry_msgs/PoseStamped goal\nfloat32 tolerance\n---\nPath plan',
  'nav_msgs/srv/LoadMap':
    'string map_url\n---\nuint8 RESULT_SUCCESS=0\nuint8 RESULT_MAP_DOES_NOT_EXIST=1\nuint8 RESULT_INVALID_MAP_DATA=2\nuint8 RESULT_INVALID_MAP_METADATA=3\nuint8 RESULT_UNDEFINED_FAILURE=255\nnav_msgs/OccupancyGrid map\nuint8 result',
  'sensor_msgs/srv/SetCameraInfo':
    'sensor_msgs/CameraInfo camera_info\n---\nbool success\nstring status_message',
  'diagnostic_msgs/srv/SelfTest': '---\nstring id\nbyte passed\nDiagnosticStatus[] status',
  'example_interfaces/srv/AddTwoInts': 'int64 a\nint64 b\n---\nint64 sum',
};
