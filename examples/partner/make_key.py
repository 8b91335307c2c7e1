"""Make a key pair: `make_key.py NAME` writes NAME.private.json, yours alone, and NAME.public.json for the brokerage."""
# ruff: noqa: INP001, T201 - a program of its own, and what it prints is its result

import json
import os
import sys
from pathlib import Path

from joserfc.jwk import ECKey


def main(name: str) -> None:
    """Write both halves of a new key whose id is the name; an existing key is never overwritten."""
    key = ECKey.generate_key("P-256", parameters={"kid": Path(name).name, "use": "sig", "alg": "ES256"})
    for half, mode in (("private", 0o600), ("public", 0o644)):
        path = Path(f"{name}.{half}.json")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
            json.dump(key.as_dict(private=half == "private"), stream, indent=1)
        print(f"wrote {path}")


if __name__ == "__main__":
    main(sys.argv[1])
