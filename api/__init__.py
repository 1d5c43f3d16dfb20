"""The public gateway of customs: writers' and buyers' API, identity authority and screening, over one database."""
