"""Answers of any length: a freeze names every parcel it lets through and every stop it owes.

Answers under idempotency keys are sealed from here on: those of the last day are forgotten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = ("statement", "receipt")


def _alter(before: sa.types.TypeEngine, after: sa.types.TypeEngine) -> None:
    with op.batch_alter_table("buyer_answer") as table:
        for name in COLUMNS:
            table.alter_column(name, existing_type=before, type_=after, existing_nullable=False)


def upgrade() -> None:
    """Apply."""
    _alter(sa.String(2_000), sa.Text())
    op.execute("DELETE FROM idempotency")


def downgrade() -> None:
    """Take back."""
    _alter(sa.Text(), sa.String(2_000))
    op.execute("DELETE FROM idempotency")
