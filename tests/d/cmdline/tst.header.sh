# -h makes a C header of a provider's declaration.
printf 'provider my_prov {\n\tprobe get__value(int, char *);\n};\n' > probes.d
dtrace -h -s probes.d
grep -o 'MY_PROV_GET_VALUE([^)]*)' probes.h
