"""Execute a launch file against the stub: launch_run.py FILE [name:=value ...] -> JSON of its processes."""
import importlib.util
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / 'launch_stub'))
from launch import LaunchContext  # noqa: E402

spec = importlib.util.spec_from_file_location('launch_file', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
context = LaunchContext(argument.split(':=', 1) for argument in sys.argv[2:])
print(json.dumps(module.generate_launch_description().visit(context)))
