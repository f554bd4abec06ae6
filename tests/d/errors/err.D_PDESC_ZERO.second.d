/*
 * The description at fault is marked, not the first.
 * @args: -x errtags -e
 * @exit: 1
 */
BEGIN,
dtrace:::BEGINN
{
}
