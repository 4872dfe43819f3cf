class DeclareLaunchArgument:
    def __init__(self, name, *, default_value=None, description=None, choices=None):
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices

    def visit(self, context):
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"launch argument '{self.name}' is required")
            if not isinstance(self.default_value, str):
                raise TypeError(f"default of '{self.name}' must be text, as the real launch demands")
            context.launch_configurations[self.name] = self.default_value


class OpaqueFunction:
    def __init__(self, *, function):
        self.function = function

    def visit(self, context):
        return self.function(context)


class ExecuteProcess:
    KNOWN = {'name', 'additional_env', 'output', 'respawn', 'respawn_delay', 'sigterm_timeout', 'cwd', 'shell'}

    def __init__(self, *, cmd, **options):
        unknown = set(options) - self.KNOWN
        if unknown:
            raise TypeError(f'ExecuteProcess has no {sorted(unknown)}')
        for part in cmd:
            if not isinstance(part, str):
                raise TypeError('a command is made of texts or substitutions')
        for key, value in options.get('additional_env', {}).items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(f'environment variable {key} must be text')
        self.cmd, self.options = cmd, options

    def visit(self, context):
        return [{'cmd': self.cmd, **self.options}]


class IncludeLaunchDescription:
    """A file that is here is executed; one of another package is recorded as what it would be given."""

    def __init__(self, source, *, launch_arguments=()):
        self.source, self.launch_arguments = source, list(launch_arguments)
        for name, value in self.launch_arguments:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError(f'launch argument {name} must be text')

    def visit(self, context):
        context.launch_configurations.update(self.launch_arguments)
        if not self.source.exists():
            return [{'include': self.source.location, 'arguments': dict(self.launch_arguments)}]
        return self.source.load().visit(context)
