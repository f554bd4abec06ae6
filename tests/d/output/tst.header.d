/*
 * The header comes once, before the first record; a row's columns are DTrace's.
 * @needs: root
 */
BEGIN { trace(1); }
BEGIN { trace(2); exit(0); }
END { trace(3); }
