/*
 * There is no probe of this number.
 * @args: -x errtags -e
 * @exit: 1
 */
4000000000
{
}
