/*
 * A provider's name ends where the process id begins.
 * @args: -x errtags -e
 * @exit: 1
 */
provider p2 { probe a(); };
BEGIN { }
