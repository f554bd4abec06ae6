/*
 * A record larger than any line a terminal shows.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->s = "0123456789abcdef0123456789abcdef";
	this->s = strjoin(this->s, this->s);
	this->s = strjoin(this->s, this->s);
	printf("%s%s%s%s%s%s%s%s\n", this->s, this->s, this->s, this->s, this->s, this->s, this->s, this->s);
	exit(0);
}
