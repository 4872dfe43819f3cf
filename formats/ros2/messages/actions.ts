/** Messages that the actions below need beyond those of a sensor: trajectory_msgs, control_msgs of ROS 2 Jazzy. */
export const MOTION: Readonly<Record<string, string>> = {
  'trajectory_msgs/MultiDOFJointTrajectory':
    'std_msgs/Header header\nstring[] joint_names\nMultiDOFJointTrajectoryPoint[] points',
  'trajectory_msgs/MultiDOFJointTrajectoryPoint':
    'geometry_msgs/Transform[] transforms\ngeometry_msgs/Twist[] velocities\ngeometry_msgs/Twist[] accelerations\nbuiltin_interfaces/Duration time_from_start',
  'control_msgs/JointTolerance': 'string name\nfloat64 position\nfloat64 velocity\nfloat64 acceleration',
  'control_msgs/JointComponentTolerance':
    'uint16 X_AXIS=1\nuint16 Y_AXIS=2\nuint16 Z_AXIS=3\nuint16 TRANSLATION=4\nuint16 ROTATION=5\nstring joint_name\nuint16 component\nfloat64 position\nfloat64 velocity\nfloat64 acceleration',
  'control_msgs/GripperCommand': 'float64 position\nfloat64 max_effort',
};

/** Actions of ROS 2 Jazzy by full name: goal, result, feedback. A robot of another release brings its own. */
export const ACTIONS: Readonly<Record<string, string>> = {
  'nav2_msgs/action/NavigateToPose':
    'geometry_msgs/PoseStamped pose\nstring behavior_tree\n---\nuint16 NONE=0\nuint16 error_code\nstring error_msg\n---\ngeometry_msgs/PoseStamped current_pose\nbuiltin_interfaces/Duration navigation_time\nbuiltin_interfaces/Duration estimated_time_remaining\nint16 number_of_recoveries\nfloat32 distance_remaining',
  'nav2_msgs/action/NavigateThroughPoses':
    'geometry_msgs/PoseStamped[] poses\nstring behavior_tree\n---\nuint16 NONE=0\nuint16 error_code\nstring error_msg\n---\ngeometry_msgs/PoseStamped current_pose\nbuiltin_interfaces/Duration navigation_time\nbuiltin_interfaces/Duration estimated_time_remaining\nint16 number_of_recoveries\nfloat32 distance_remaining\nint16 number_of_poses_remaining',
  'nav2_msgs/action/FollowPath':
    'nav_msgs/Path path\nstring controller_id\nstring goal_checker_id\nstring progress_checker_id\n---\nuint16 NONE=0\nuint16 UNKNOWN=100\nuint16 INVALID_CONTROLLER=101\nuint16 TF_ERROR=102\nuint16 INVALID_PATH=103\nuint16 PATIENCE_EXCEEDED=104\nuint16 FAILED_TO_MAKE_PROGRESS=105\nuint16 NO_VALID_CONTROL=106\nuint16 CONTROLLER_TIMED_OUT=107\nstd_msgs/Empty result\nuint16 error_code\nstring error_msg\n---\nfloat32 distance_to_goal\nfloat32 speed',
  'nav2_msgs/action/Spin':
    'float32 target_yaw\nbuiltin_interfaces/Duration time_allowance\n---\nuint16 NONE=0\nuint16 UNKNOWN=700\nuint16 TIMEOUT=701\nuint16 TF_ERROR=702\nuint16 COLLISION_AHEAD=703\nbuiltin_interfaces/Duration total_elapsed_time\nuint16 error_code\nstring error_msg\n---\nfloat32 angular_distance_traveled',
  'nav2_msgs/action/BackUp':
    'geometry_msgs/Point target\nfloat32 speed\nbuiltin_interfaces/Duration time_allowance\n---\nuint16 NONE=0\nuint16 UNKNOWN=710\nuint16 TIMEOUT=711\nuint16 TF_ERROR=712\nuint16 INVALID_INPUT=713\nuint16 COLLISION_AHEAD=714\nbuiltin_interfaces/Duration total_elapsed_time\nuint16 error_code\nstring error_msg\n---\nfloat32 distance_traveled',
  'nav2_msgs/action/DriveOnHeading':
    'geometry_msgs/Point target\nfloat32 speed\nbuiltin_interfaces/Duration time_allowance\n---\nuint16 NONE=0\nuint16 UNKNOWN=720\nuint16 TIMEOUT=721\nuint16 TF_ERROR=722\nuint16 COLLISION_AHEAD=723\nuint16 INVALID_INPUT=724\nbuiltin_interfaces/Duration total_elapsed_time\nuint16 error_code\nstring error_msg\n---\nfloat32 distance_traveled',
  'nav2_msgs/action/Wait':
    'builtin_interfaces/Duration time\n---\nbuiltin_interfaces/Duration total_elapsed_time\nuint16 error_code\nstring error_msg\n---\nbuiltin_interfaces/Duration time_left',
  'control_msgs/action/FollowJointTrajectory':
    'trajectory_msgs/JointTrajectory trajectory\ntrajectory_msgs/MultiDOFJointTrajectory multi_dof_trajectory\nJointTolerance[] path_tolerance\nJointComponentTolerance[] component_path_tolerance\nJointTolerance[] goal_tolerance\nJointComponentTolerance[] component_goal_tolerance\nbuiltin_interfaces/Duration goal_time_tolerance\n---\nint32 error_code\nint32 SUCCESSFUL=0\nint32 INVALID_GOAL=-1\nint32 INVALID_JOINTS=-2\nint32 OLD_HEADER_TIMESTAMP=-3\nint32 PATH_TOLERANCE_VIOLATED=-4\nint32 GOAL_TOLERANCE_VIOLATED=-5\nstring error_string\n---\nstd_msgs/Header header\nstring[] joint_names\ntrajectory_msgs/JointTrajectoryPoint desired\ntrajectory_msgs/JointTrajectoryPoint actual\ntrajectory_msgs/JointTrajectoryPoint error\nstring[] multi_dof_joint_names\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_desired\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_actual\ntrajectory_msgs/MultiDOFJointTrajectoryPoint multi_dof_error',
  'control_msgs/action/GripperCommand':
    'GripperCommand command\n---\nfloat64 position\nfloat64 effort\nbool stalled\nbool reached_goal\n---\nfloat64 position\nfloat64 effort\nbool stalled\nbool reached_goal',
  'control_msgs/action/ParallelGripperCommand':
    'sensor_msgs/JointState command\n---\nsensor_msgs/JointState state\nbool stalled\nbool reached_goal\n---\nsensor_msgs/JointState state',
  'control_msgs/action/PointHead':
    'geometry_msgs/PointStamped target\ngeometry_msgs/Vector3 pointing_axis\nstring pointing_frame\nbuiltin_interfaces/Duration min_duration\nfloat64 max_velocity\n---\n---\nfloat64 pointing_angle_error',
  // Of this project: launch/auraison_interfaces, without its comments.
  'auraison_interfaces/action/RunIntent':
    'string type\nstring params_json\nstring idempotency_key\nuint8 priority 5\nbuiltin_interfaces/Time deadline\nstring traceparent\n---\nstring run_id\nstring status\nstring reason\nstring error_code\nfloat64 score\nstring summary_json\n---\nstring run_id\nstring status\nstring phase\nstring reason',
  'example_interfaces/action/Fibonacci': 'int32 order\n---\nint32[] sequence\n---\nint32[] sequence',
};
