/*
 * A glob over functions: an entry for each return.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
uint64_t calls[string, string];

fbt::generic_file_lls*k_size:,
fbt::vfs_ope[n]:entry
/pid == $target && execname == "seeker"/
{
	calls[probefunc, probename]++;
}

END
{
	printf("%d %d\n", calls["generic_file_llseek_size", "entry"] > 0,
	    calls["generic_file_llseek_size", "entry"] == calls["generic_file_llseek_size", "return"]);
	printf("%d %d\n", calls["vfs_open", "entry"] > 0, calls["vfs_open", "return"]);
}
