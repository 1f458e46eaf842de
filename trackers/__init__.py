"""Object tracking: SiamFC-style trackers, their training and their evaluation."""
