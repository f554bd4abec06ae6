/*
 * Branches within branches; a variable that a branch sets is seen behind it.
 * @needs: root
 * @args: -q
 */
BEGIN
{
	this->a = 1;
	this->b = 0;
	if (this->a) {
		printf("a ");
		if (this->b) {
			printf("b ");
		} else {
			printf("not-b ");
			if (this->a && !this->b) {
				this->b = 7;
			}
		}
		printf("%d ", this->b);
	} else {
		printf("never ");
	}
	if (this->b == 7)
		printf("seven");
	printf("\n");
	exit(0);
}
