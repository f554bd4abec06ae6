/*
 * A provider's name ends where the process id begins.
 * @needs: root
 */
provider p2 { probe a(); };
BEGIN { }
