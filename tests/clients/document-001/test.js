import io from 'socket.io-client';

describe('WebSocket Events', () => {
  it('should receive area_updated event', (done) => {
    const socket = io('http://localhost:8443', {
      auth: { token: clientToken }
    });

    socket.on('area_updated', (data) => {
      expect(data.areaId).toBe('area_123');
      expect(data.name).toBe('Updated Name');
      socket.disconnect();
      done();
    });

    // Trigger update
    updateAreaViaAPI('area_123', { name: 'Updated Name' });
  });
});
