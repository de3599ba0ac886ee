"""What the night shift learns from: the journal as a folder of clips, folders of videos, simulated cameras."""
