/*
 * No probe has this name; near ones are told.
 * @args: -x errtags -e
 * @exit: 1
 */
syscall::lseekk:return
{
}
