"""The attacks as a table: python -m tests.attacks"""

from tests.attacks import test_attacks  # noqa: F401  # puts every attack on the list
from tests.attacks.arena import ATTACKS, KINDS

for kind, words in KINDS.items():
    print(f"\n{kind}: {words}")
    for attack in ATTACKS.values():
        if attack.kind == kind:
            print(f"  {attack.name:48} {attack.aims_at:40} {attack.what}")
