/*
 * exit() in END sets the status when nothing else did.
 * @needs: root
 * @args: -q -c 'sh -c "exit 0"'
 * @exit: 5
 */
END { exit(5); }
