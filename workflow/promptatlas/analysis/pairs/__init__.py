"""How sure each cell is: its gain with an interval that counts images and seeds, from the right answers that cells hold."""
