/*
 * A clause without a body records that it fired; one that only assigns does not.
 * @needs: root
 */
BEGIN { }
BEGIN { x = 1; }
BEGIN { exit(0); }
