# raise(SIGUSR1) in a shell with a handler: it runs, the shell goes on.
# @needs: root syscall
dtrace -q -w -c 'sh -c "trap \"echo caught > $T/caught\" USR1; cat /dev/null; echo done > $T/done"' -n '
	syscall::write:entry /pid == $target && !sent/ { sent = 1; }
	syscall::wait4:entry, syscall::waitid:entry /pid == $target && !once/ { once = 1; raise(10); }
	int sent, once;' 2> err
cat caught done err
