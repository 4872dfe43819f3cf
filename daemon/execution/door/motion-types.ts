/** Kinds of commands: what a gate has to know to judge one. */
export type MotionKind = 'velocity' | 'trajectory' | 'jog' | 'gripper' | 'goal' | 'joystick' | 'actuators';

const of = (kind: MotionKind, pkg: string, ...names: readonly string[]): [string, MotionKind][] =>
  names.map((name) => [`${pkg}/msg/${name}`, kind]);

/** Message types that move a robot that hears them, whatever their topic is called. */
export const COMMAND_TYPES: ReadonlyMap<string, MotionKind> = new Map([
  ...of('velocity', 'geometry_msgs', 'Twist', 'TwistStamped', 'Accel', 'AccelStamped', 'Wrench'),
  ...of('velocity', 'ackermann_msgs', 'AckermannDrive', 'AckermannDriveStamped'),
  ...of('velocity', 'irobot_create_msgs', 'WheelVels'),
  ...of('velocity', 'autoware_control_msgs', 'Control', 'Lateral', 'Longitudinal'),
  ...of('trajectory', 'trajectory_msgs', 'JointTrajectory', 'JointTrajectoryPoint'),
  ...of('trajectory', 'trajectory_msgs', 'MultiDOFJointTrajectory', 'MultiDOFJointTrajectoryPoint'),
  ...of('trajectory', 'moveit_msgs', 'RobotTrajectory', 'CartesianTrajectory'),
  ...of('trajectory', 'nav_msgs', 'Path'),
  ...of('jog', 'control_msgs', 'JointJog', 'MultiDOFCommand'),
  ...of('gripper', 'control_msgs', 'GripperCommand'),
  ...of('goal', 'geometry_msgs', 'Pose', 'PoseStamped', 'PoseArray', 'PointStamped'),
  ...of('goal', 'nav_msgs', 'Goals'),
  ...of('joystick', 'sensor_msgs', 'Joy', 'JoyFeedback', 'JoyFeedbackArray'),
  ...of('actuators', 'actuator_msgs', 'Actuators', 'ActuatorsAngularVelocity', 'ActuatorsAngularPosition'),
  ...of('actuators', 'mavros_msgs', 'ActuatorControl', 'AttitudeTarget', 'GlobalPositionTarget'),
  ...of('actuators', 'mavros_msgs', 'ManualControl', 'MountControl', 'OverrideRCIn', 'PositionTarget'),
  ...of('actuators', 'mavros_msgs', 'Thrust', 'Trajectory'),
  ...of('actuators', 'px4_msgs', 'ActuatorMotors', 'ActuatorServos', 'GotoSetpoint', 'ManualControlSetpoint'),
  ...of('actuators', 'px4_msgs', 'OffboardControlMode', 'TrajectorySetpoint', 'VehicleAttitudeSetpoint'),
  ...of('actuators', 'px4_msgs', 'VehicleCommand', 'VehicleRatesSetpoint', 'VehicleThrustSetpoint'),
  ...of('actuators', 'px4_msgs', 'VehicleTorqueSetpoint'),
]);

const all = (pkg: string, ...names: readonly string[]): string[] => names.map((name) => `${pkg}/msg/${name}`);

/** A state or a command, by its topic: harmless as `joint_states`, unknown under any other name. */
export const JOINT_STATE_TYPE = 'sensor_msgs/msg/JointState';

/**
 * Types that only report: state, sensing, diagnostics, drawings. A type that some robots also obey is not among them
 * (JointState, Float64MultiArray, String, Bool, PoseWithCovarianceStamped): better one topic too many is refused.
 */
export const REPORT_TYPES: ReadonlySet<string> = new Set([
  ...all('sensor_msgs', 'BatteryState', 'CameraInfo', 'CompressedImage', 'FluidPressure', 'Illuminance'),
  ...all('sensor_msgs', 'Image', 'Imu', 'LaserEcho', 'LaserScan', 'MagneticField', 'MultiEchoLaserScan'),
  ...all('sensor_msgs', 'NavSatFix', 'NavSatStatus', 'PointCloud', 'PointCloud2', 'Range'),
  ...all('sensor_msgs', 'RegionOfInterest', 'RelativeHumidity', 'Temperature', 'TimeReference'),
  ...all('nav_msgs', 'GridCells', 'MapMetaData', 'OccupancyGrid', 'Odometry'),
  ...all('map_msgs', 'OccupancyGridUpdate', 'PointCloud2Update'),
  ...all('geometry_msgs', 'TransformStamped', 'TwistWithCovarianceStamped', 'AccelWithCovarianceStamped'),
  ...all('geometry_msgs', 'PolygonStamped', 'InertiaStamped'),
  ...all('tf2_msgs', 'TFMessage'),
  ...all('diagnostic_msgs', 'DiagnosticArray', 'DiagnosticStatus'),
  ...all('rcl_interfaces', 'Log', 'ParameterEvent'),
  ...all('rosgraph_msgs', 'Clock'),
  ...all('action_msgs', 'GoalStatusArray'),
  ...all('lifecycle_msgs', 'TransitionEvent'),
  ...all('statistics_msgs', 'MetricsMessage'),
  ...all('stereo_msgs', 'DisparityImage'),
  ...all('vision_msgs', 'BoundingBox2DArray', 'BoundingBox3DArray', 'Classification'),
  ...all('vision_msgs', 'Detection2D', 'Detection2DArray', 'Detection3D', 'Detection3DArray'),
  ...all('visualization_msgs', 'ImageMarker', 'Marker', 'MarkerArray'),
  ...all('foxglove_msgs', 'CompressedVideo', 'ImageAnnotations', 'SceneUpdate'),
  ...all('nav2_msgs', 'BehaviorTreeLog', 'Costmap', 'CostmapUpdate', 'ParticleCloud', 'VoxelGrid'),
  ...all('control_msgs', 'DynamicJointState', 'JointControllerState', 'JointTrajectoryControllerState'),
]);
