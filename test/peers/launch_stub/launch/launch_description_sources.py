import importlib.util
import pathlib


class PythonLaunchDescriptionSource:
    def __init__(self, location):
        if not isinstance(location, str):
            raise TypeError('a location is text or a substitution')
        self.location = location

    def exists(self):
        return pathlib.Path(self.location).exists()

    def load(self):
        spec = importlib.util.spec_from_file_location('included_launch_file', self.location)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.generate_launch_description()
