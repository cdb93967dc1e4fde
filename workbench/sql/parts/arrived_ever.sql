-- All partitions, for a question of states.
true /* all of the log: every folder is listed, every object read */
