"""What tests share: logs to write, questions to ask, an AWS to ask them of."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
