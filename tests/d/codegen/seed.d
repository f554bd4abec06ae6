/*
 * The seed's clause on every return: nothing but the comparison until it holds, then the match, the record, the capture.
 * @needs: root
 */
#pragma D option destructive
#pragma D option quiet

inline uint32_t STATUS_UNSUCCESSFUL = 0xc0000001UL;

BEGIN
{
	exit(0);
}

syscall:::return
{
	this->status = (uint32_t)arg0;

	if (this->status == STATUS_UNSUCCESSFUL)
	{
		printf("Return value arg0:%x \n", this->status);
		printf("Triggering LiveDump \n");
		lkd(0);
		exit(0);
	}
}
