"""How well posts find their parents without any threading field: `thread_scores`, started under this name.

Its folder stands first on the path of every script in it, and this file has the name of a standard module: a neighbour
that imports that one gets it from here.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))
    from thread_scores import main

    main()
else:
    _standard = os.path.join(os.path.dirname(os.__file__), "threading.py")
    with open(_standard, encoding="utf-8") as _file:
        exec(compile(_file.read(), _standard, "exec"), globals())
