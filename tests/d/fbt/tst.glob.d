/*
 * A glob over functions: entry before return, for each.
 * @needs: root fbt seeker
 * @args: -q -c 'seeker 1'
 */
fbt::vfs_lls*k:,
fbt::vfs_ope[n]:entry
/pid == $target && execname == "seeker"/
{
	calls[probefunc, probename]++;
}

END
{
	printf("%d %d\n", calls["vfs_llseek", "entry"] > 0, calls["vfs_llseek", "entry"] == calls["vfs_llseek", "return"]);
	printf("%d %d\n", calls["vfs_open", "entry"] > 0, calls["vfs_open", "return"]);
}

uint64_t calls[string, string];
