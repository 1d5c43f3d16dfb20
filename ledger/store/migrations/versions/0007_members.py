"""Members, whose roles traces are judged by: what was projected without them is emptied and made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

READ_MODEL = ("entry", "parcel", "sale_order", "master", "block", "cursor")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "member_key",
        sa.Column("address", sa.LargeBinary(length=20), nullable=False),
        sa.Column("word", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_table(
        "member_org",
        sa.Column("handle", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("word", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("handle"),
    )
    for table in READ_MODEL:
        op.execute(sa.delete(sa.table(table)))


def downgrade() -> None:
    """Take back."""
    op.drop_table("member_org")
    op.drop_table("member_key")
