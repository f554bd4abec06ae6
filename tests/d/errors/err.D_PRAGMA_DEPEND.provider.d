/*
 * The program needs a provider that is not there.
 * @args: -x errtags -e
 * @exit: 1
 */
#pragma D depends_on provider nonesuch
BEGIN { }
