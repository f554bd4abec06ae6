/*
 * Assigning 0 takes an element away: more elements than there is room for pass through a small dynvarsize without a drop.
 * @needs: root syscall getppid
 * @args: -q -x dynvarsize=64k -c 'sh -c "exec getppid 20000 >/dev/null"'
 */
uint64_t n, total;

syscall::getppid:entry
/pid == $target && execname == "getppid"/
{
	n++;
	seen[n, "key"] = n;
	total += seen[n, "key"];
	seen[n, "key"] = 0;
}

END
{
	printf("%d %d %d\n", n, total, seen[1, "key"]);
}
