const QUATERNION = 'unit quaternion (x, y, z, w)';
const COVARIANCE = 'row-major 6x6 about x, y, z (m) and the fixed axes x, y, z (rad)';

/** Units and frames by `package/Type.field`, as the packages of ROS 2 document them. SI where nothing is said. */
const FIELDS: Readonly<Record<string, string>> = {
  'std_msgs/Header.stamp': 'time of the data',
  'std_msgs/Header.frame_id': 'frame that the data is in',
  'geometry_msgs/Pose.position': 'm',
  'geometry_msgs/Pose.orientation': QUATERNION,
  'geometry_msgs/Transform.translation': 'm',
  'geometry_msgs/Transform.rotation': QUATERNION,
  'geometry_msgs/TransformStamped.transform': 'of child_frame_id in header.frame_id; m, unit quaternion',
  'geometry_msgs/TransformStamped.child_frame_id': 'frame whose pose this is',
  'geometry_msgs/Twist.linear': 'm/s',
  'geometry_msgs/Twist.angular': 'rad/s',
  'geometry_msgs/Accel.linear': 'm/s²',
  'geometry_msgs/Accel.angular': 'rad/s²',
  'geometry_msgs/Wrench.force': 'N',
  'geometry_msgs/Wrench.torque': 'Nm',
  'geometry_msgs/PoseStamped.pose': 'm, unit quaternion, in header.frame_id',
  'geometry_msgs/PoseWithCovariance.covariance': COVARIANCE,
  'geometry_msgs/PoseWithCovarianceStamped.pose': 'm, unit quaternion, in header.frame_id',
  'geometry_msgs/TwistStamped.twist': 'm/s and rad/s, in header.frame_id',
  'nav_msgs/Odometry.pose': 'm, unit quaternion, in header.frame_id',
  'nav_msgs/Odometry.twist': 'm/s and rad/s, in child_frame_id',
  'nav_msgs/Odometry.child_frame_id': 'frame of the twist',
  'nav_msgs/Path.poses': 'm, unit quaternion, in header.frame_id',
  'nav_msgs/MapMetaData.resolution': 'm per cell',
  'nav_msgs/OccupancyGrid.data': '0 to 100, -1 unknown; row by row from the origin',
  'sensor_msgs/BatteryState.voltage': 'V',
  'sensor_msgs/BatteryState.temperature': '°C; NaN unknown',
  'sensor_msgs/BatteryState.current': 'A, negative when discharging; NaN unknown',
  'sensor_msgs/BatteryState.charge': 'Ah; NaN unknown',
  'sensor_msgs/BatteryState.capacity': 'Ah; NaN unknown',
  'sensor_msgs/BatteryState.design_capacity': 'Ah; NaN unknown',
  'sensor_msgs/BatteryState.percentage': '0 to 1; NaN unknown',
  'sensor_msgs/BatteryState.cell_voltage': 'V each',
  'sensor_msgs/BatteryState.cell_temperature': '°C each',
  'sensor_msgs/Imu.orientation': QUATERNION,
  'sensor_msgs/Imu.angular_velocity': 'rad/s',
  'sensor_msgs/Imu.linear_acceleration': 'm/s²',
  'sensor_msgs/JointState.position': 'rad or m, one for each name',
  'sensor_msgs/JointState.velocity': 'rad/s or m/s, one for each name',
  'sensor_msgs/JointState.effort': 'Nm or N, one for each name',
  'sensor_msgs/LaserScan.angle_min': 'rad',
  'sensor_msgs/LaserScan.angle_max': 'rad',
  'sensor_msgs/LaserScan.angle_increment': 'rad',
  'sensor_msgs/LaserScan.time_increment': 's',
  'sensor_msgs/LaserScan.scan_time': 's',
  'sensor_msgs/LaserScan.range_min': 'm',
  'sensor_msgs/LaserScan.range_max': 'm',
  'sensor_msgs/LaserScan.ranges': 'm, in header.frame_id from angle_min on',
  'sensor_msgs/NavSatFix.latitude': 'degrees, positive north',
  'sensor_msgs/NavSatFix.longitude': 'degrees, positive east',
  'sensor_msgs/NavSatFix.altitude': 'm above the WGS 84 ellipsoid; NaN unknown',
  'sensor_msgs/Range.range': 'm',
  'sensor_msgs/Temperature.temperature': '°C',
  'diagnostic_msgs/DiagnosticStatus.level': '0 ok, 1 warn, 2 error, 3 stale',
  'trajectory_msgs/JointTrajectoryPoint.positions': 'rad or m',
  'trajectory_msgs/JointTrajectoryPoint.velocities': 'rad/s or m/s',
  'vision_msgs/ObjectHypothesis.score': '0 to 1',
};

/** Unit, range or frame of a field as far as it is known; empty where it is not. Times are nanoseconds in tables. */
export function unitOf(type: string, field: string, fieldType: string): string {
  const known = FIELDS[`${type.replace('/msg/', '/')}.${field}`];
  if (fieldType === 'duration') return known ?? 'nanoseconds';
  if (fieldType === 'time') return known ?? 'UTC, or the time of the simulation';
  return known ?? '';
}
