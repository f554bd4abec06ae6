/*
 * copyinstr reads a system call's string; its second argument limits the number of characters.
 * @needs: root syscall seeker
 * @args: -q -c 'seeker 1'
 */
syscall::unlink:entry
/pid == $target/
{
	this->path = copyinstr(arg0);
	printf("%s %d\n", this->path, strlen(this->path) > 12);
	printf("<%s> <%s>\n", copyinstr(arg0, 4), copyinstr(arg0 + 5, 6));
}
