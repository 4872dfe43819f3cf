"""Message classes by name. (rosidl_runtime_py, which has this, is not among the wheels.)"""

import importlib


def message_class(type_name: str) -> type:
    package, kind, name = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)
