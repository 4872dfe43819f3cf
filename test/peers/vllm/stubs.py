"""Makes small libraries in place of the CUDA libraries that the published torch links but a CPU machine lacks.

torch from the package index is built for CUDA: it does not load without libcudart, libcublas and their kin
(3.3 GB), although nothing of them is called on a CPU. Each missing library becomes one that defines the symbols
asked of it, under the same name and symbol versions; every function answers 1, an error in each of those APIs.

Usage: python stubs.py OUTPUT_FOLDER FOLDER...    (folders whose libraries have to load)
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

FOREIGN = re.compile(r"^lib(cu|nccl|nv|npp)[A-Za-z_]*[.-]")


def wanted(path: Path):
    """Names of foreign libraries that a library links, and the symbols it wants: (library or '', version, name)."""
    with path.open("rb") as stream:
        try:
            elf = ELFFile(stream)
        except Exception:
            return set(), set()
        dynamic = elf.get_section_by_name(".dynamic")
        if dynamic is None:
            return set(), set()
        needed = {t.needed for t in dynamic.iter_tags("DT_NEEDED") if FOREIGN.match(t.needed)}
        versions = {}
        section = elf.get_section_by_name(".gnu.version_r")
        if section is not None:
            for need, auxes in section.iter_versions():
                for aux in auxes:
                    versions[aux["vna_other"]] = (need.name, aux.name)
        index = elf.get_section_by_name(".gnu.version")
        table = elf.get_section_by_name(".dynsym")
        symbols = set()
        if isinstance(table, SymbolTableSection):
            for number, symbol in enumerate(table.iter_symbols()):
                if symbol["st_shndx"] != "SHN_UNDEF" or not symbol.name:
                    continue
                ndx = index.get_symbol(number)["ndx"] if index is not None else "VER_NDX_GLOBAL"
                library, version = versions.get(ndx, ("", "")) if isinstance(ndx, int) else ("", "")
                if FOREIGN.match(library) or (library == "" and re.match(r"^(cu|nccl|nv|_?_cuda)", symbol.name)):
                    symbols.add((library, version, symbol.name))
        return needed, symbols


def build(output: Path, library: str, symbols) -> None:
    versions = defaultdict(list)
    for version, name in symbols:
        versions[version].append(name)
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "stub.c"), Path(folder, "stub.map")
        names = sorted({name for _, name in symbols})
        # A function that names an error answers with a text: its caller reads it.
        lines = [
            f'const char *{name}(void) {{ return "no CUDA here"; }}\n'
            if re.search(r"Error(String|Name)|Get(Status)?String|GetVersionString", name)
            else f"int {name}(void) {{ return 1; }}\n"
            for name in names
        ]
        source.write_text("".join(lines) or "int auraison_stub;\n")
        nodes = [f"{version} {{ global: {'; '.join(sorted(set(of)))}; }};" for version, of in versions.items() if version]
        script.write_text("\n".join(nodes) + "\n")
        order = ["cc", "-shared", "-O0", "-w", "-fno-builtin", "-o", str(output / library), str(source), f"-Wl,-soname,{library}"]
        if nodes:
            order.append(f"-Wl,--version-script={script}")
        subprocess.run(order, check=True)


def main() -> None:
    output = Path(sys.argv[1])
    output.mkdir(parents=True, exist_ok=True)
    needed, symbols = set(), set()
    for folder in sys.argv[2:]:
        for path in Path(folder).rglob("*.so*"):
            if path.is_file() and not path.is_symlink():
                more, wants = wanted(path)
                needed |= more
                symbols |= wants
    needed |= {library for library, _, _ in symbols if library}
    by_library = defaultdict(set)
    first = sorted(needed)[0] if needed else ""
    for library, version, name in symbols:
        by_library[library or first].add((version, name))
    for library in sorted(needed):
        build(output, library, by_library[library])
    print(f"{len(needed)} libraries, {len(symbols)} symbols", file=sys.stderr)
    os.sync()


if __name__ == "__main__":
    main()
