"""Does a model see what happens, or only what is there? Pairs of clips that differ in nothing but time or direction."""
