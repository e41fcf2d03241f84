# What ffmpeg and ffprobe may read; sourced by the wrappers beside it.

# Containers that cannot name another file. Playlists (hls, dash, concat, …) and drawings (svg) are not among them.
media=mov,matroska,webm,mp3,aac,ogg,flac,wav,w64,aiff,caf,au,ac3,eac3,dts,truehd,amr,tta,ape,wv,asf,avi,flv,live_flv
media=$media,mpeg,mpegvideo,mpegts,h264,hevc,av1,obu,ivf,m4v,mjpeg,nut,rm,dv,mxf
media=$media,image2,jpeg_pipe,png_pipe,webp_pipe,gif,gif_pipe,apng,bmp_pipe,tiff_pipe,jpegxl_pipe
media=$media,srt,webvtt,ass,lrc,ffmetadata

# A playlist from the network may name what is on the network.
remote_media=$media,hls,dash

local_protocols=file,crypto,data
pipe_protocols=pipe,fd,crypto,data
remote_protocols=http,https,tls,tcp,crypto,httpproxy,data

ca=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
