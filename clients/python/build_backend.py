"""Builds the wheel of this folder with the standard library alone (PEP 517, PEP 660), so that pip needs no network for it.

What `pyproject.toml` says is read again here by patterns: Python 3.9 has no reader of TOML.
"""
import base64, hashlib, io, os, re, tarfile, zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ("auraison_client.py", "auraison_runtime.py", "auraison_pydantic_ai.py")
SOURCES = MODULES + ("README.md", "build_backend.py", "find_exit.py", "patrol.py", "pyproject.toml")
TAG = "py3-none-any"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same sources give the same bytes


def _read(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def _project():
    text = _read("pyproject.toml").decode()
    return {key: re.search(r'^%s = "([^"]*)"$' % key, text, re.MULTILINE).group(1)
            for key in ("name", "version", "description", "requires-python", "license")}


def _metadata(project):
    return "\n".join([
        "Metadata-Version: 2.1", "Name: " + project["name"], "Version: " + project["version"],
        "Summary: " + project["description"], "License: " + project["license"],
        "Requires-Python: " + project["requires-python"], "Provides-Extra: pydantic-ai",
        'Requires-Dist: pydantic-ai-slim; extra == "pydantic-ai"', "Description-Content-Type: text/markdown", "",
        _read("README.md").decode()]).encode()


def _stem(project):
    return "%s-%s" % (project["name"].replace("-", "_"), project["version"])


def _wheel(directory, files):
    project = _project()
    stem = _stem(project)
    info = stem + ".dist-info"
    files = dict(files)
    files[info + "/METADATA"] = _metadata(project)
    files[info + "/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: auraison\nRoot-Is-Purelib: true\nTag: %s\n" % TAG).encode()
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = ["%s,sha256=%s,%d" % (name, digest(data), len(data)) for name, data in files.items()]
    record.append(info + "/RECORD,,")
    files[info + "/RECORD"] = ("\n".join(record) + "\n").encode()
    wheel = "%s-%s.whl" % (stem, TAG)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {name: _read(name) for name in MODULES})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {"auraison_client_editable.pth": (HERE + "\n").encode()})


def build_sdist(sdist_directory, config_settings=None):
    project = _project()
    stem = _stem(project)
    name = stem + ".tar.gz"
    files = [(file, _read(file)) for file in SOURCES] + [("PKG-INFO", _metadata(project))]
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for file, data in files:
            entry = tarfile.TarInfo("%s/%s" % (stem, file))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return name
