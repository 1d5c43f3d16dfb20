"""Envelopes by org: nothing was kept in either table before, so they are made anew."""

import sqlalchemy as sa
from alembic import op

import ledger.store.columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _envelopes(*columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        "vault_envelope",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        *columns,
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("kept_at", ledger.store.columns.UtcDateTime(timezone=True), nullable=False),
        sa.Column("erased_at", ledger.store.columns.UtcDateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_vault_envelope_kept_at", "vault_envelope", ["kept_at"])


def _index(*constraints: sa.Constraint) -> None:
    op.create_table(
        "vault_index",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("lookup", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *constraints,
        sa.PrimaryKeyConstraint("digest", "lookup"),
    )
    op.create_index("ix_vault_index_lookup", "vault_index", ["lookup"])
    op.create_index("vault_index_by_key", "vault_index", ["key"])


def _drop() -> None:
    op.drop_table("vault_index")
    op.drop_table("vault_envelope")


def upgrade() -> None:
    """Apply."""
    _drop()
    org = sa.Column("org", sa.Integer(), autoincrement=False, nullable=False)
    _envelopes(org, sa.PrimaryKeyConstraint("digest", "org"))
    op.create_index("ix_vault_envelope_name", "vault_envelope", ["name"])
    _index()


def downgrade() -> None:
    """Take back."""
    _drop()
    _envelopes(sa.PrimaryKeyConstraint("digest"), sa.UniqueConstraint("name"))
    _index(sa.ForeignKeyConstraint(["digest"], ["vault_envelope.digest"]))
