export * from '../../../formats/ros2/velocity-guard.ts';
