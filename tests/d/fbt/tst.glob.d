/*
 * A glob over functions: an entry for each return.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
uint64_t calls[string, string];

fbt::generic_file_lls*k:,
fbt::vfs_ope[n]:entry
/pid == $target && execname == "seeker"/
{
	calls[probefunc, probename]++;
}

END
{
	printf("%d %d\n", calls["generic_file_llseek", "entry"] > 0,
	    calls["generic_file_llseek", "entry"] == calls["generic_file_llseek", "return"]);
	printf("%d %d\n", calls["vfs_open", "entry"] > 0, calls["vfs_open", "return"]);
}
