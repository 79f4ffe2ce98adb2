"""Every table of an appraisal, grouped by what it answers; workings in, frames out.

All files are read with the first of them, so that the catalogue is complete whichever is asked for.
"""

from importlib import import_module
from pkgutil import iter_modules

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
