/**
 * ONNX Runtime sends events to its maker otherwise. To be imported by the main thread of each process: only there does
 * a variable reach native code. A worker thread has a copy of the variables, which the runtime does not see.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
