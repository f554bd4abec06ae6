/*
 * There is no such provider.
 * @args: -x errtags -e
 * @exit: 1
 */
nonesuch:::
{
}
