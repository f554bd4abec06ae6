/*
 * The probe's names are strings like any other.
 * @needs: root syscall getppid
 * @args: -q -c 'sh -c "exec getppid 1 >/dev/null"'
 */
syscall::getppid:
/pid == $target && execname == "getppid"/
{
	this->name = strjoin(probefunc, strjoin(":", probename));
	printf("%s %d %d %d\n", this->name, strlen(probefunc), probename < "f", probeprov == "syscall" && probemod != "");
}
