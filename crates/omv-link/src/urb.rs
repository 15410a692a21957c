//! Links over URBs.
