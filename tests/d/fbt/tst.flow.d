/*
 * -F indents a function's callees.
 * @needs: root fbt seeker
 * @args: -F -c 'seeker 1'
 */
syscall::lseek:
/pid == $target && execname == "seeker"/
{
}

fbt::generic_file_llseek_size:
/pid == $target && execname == "seeker"/
{
}
