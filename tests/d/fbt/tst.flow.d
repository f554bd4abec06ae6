/*
 * -F indents a function's callees.
 * @needs: root fbt seeker
 * @args: -F -c 'seeker 1'
 */
syscall::lseek:
/pid == $target && execname == "seeker"/
{
}

fbt::vfs_llseek:
/pid == $target && execname == "seeker"/
{
}
