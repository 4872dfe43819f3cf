"""Recording stub of ROS 2 launch: see README.md beside it."""


class LaunchContext:
    def __init__(self, configurations):
        self.launch_configurations = dict(configurations)


class LaunchDescription:
    def __init__(self, entities=()):
        self.entities = list(entities)

    def visit(self, context):
        """Return the processes, in order, as the real launch service would start them."""
        processes = []
        pending = list(self.entities)
        while pending:
            produced = pending.pop(0).visit(context)
            for item in produced or []:
                (processes if isinstance(item, dict) else pending).append(item)
        return processes
