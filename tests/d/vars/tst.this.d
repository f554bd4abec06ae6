/*
 * A clause-local variable lives on in the later clauses of the same firing, whatever its type.
 * @needs: root
 * @args: -q
 */
this int8_t tiny;

BEGIN
{
	this->tiny = 300;
	this->number = 5;
	this->text = "here";
}

BEGIN
/this->number == 5/
{
	printf("%d %d %s\n", this->tiny, this->number, this->text);
	this->number++;
}

BEGIN
{
	printf("%d\n", this->number);
	exit(0);
}
