/*
 * From a typed argument through the kernel's structs to a file's name.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
fbt::generic_file_llseek_size:entry
/pid == $target && arg1 == 0xc0000001/
{
	printf("%s\n", stringof(args[0]->f_path.dentry->d_name.name));
}
